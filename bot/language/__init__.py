"""Language models behind one small interface: messages in, streamed text out, many continuations of one shared prefix."""
