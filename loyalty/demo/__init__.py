"""The demo: a sample programme with invented people and real purchases. Never in production."""
