"""Jobs, and what starts them without a person: the monthly schedule, the sensor of new files; alerts."""
