"""What runs by itself: jobs, schedule, sensor, retries and alerts."""
