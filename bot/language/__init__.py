"""Language models behind one small interface: many continuations of one shared prefix, streamed."""
