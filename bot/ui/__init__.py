"""What Discord shows: pure functions from ideas to Components V2, and the ids by which buttons are known again."""
