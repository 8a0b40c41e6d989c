"""What is drawn for people; matplotlib lives here."""
