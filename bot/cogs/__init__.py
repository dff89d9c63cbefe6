"""Discord's faces of the studio, one file a feature: parse, call, render."""
