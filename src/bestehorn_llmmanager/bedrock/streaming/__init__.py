"""Reading a ConverseStream, also across a break."""
