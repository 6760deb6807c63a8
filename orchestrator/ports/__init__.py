"""What the control loops need from outside, one Protocol a file."""
