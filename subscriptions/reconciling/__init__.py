"""All that providers have, compared with what is kept here, and taken over if it differs."""
