"""What Kindling knows: snippets, where they came from, and how to find the ones that could spark something.

Synchronous, and ignorant of Discord, of language models and of the `bot` package. Importing it loads neither torch nor
FAISS; the classes that need them import them when they are constructed.
"""
