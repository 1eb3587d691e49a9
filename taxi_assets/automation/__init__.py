"""What runs without anybody asking: jobs, the monthly schedule, the sensor of new files, and alerts."""
