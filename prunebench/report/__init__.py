"""What people and programs read: the leaderboard (`leaderboard`) and listings (`listing`)."""
