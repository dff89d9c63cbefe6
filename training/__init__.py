"""Fine-tuning of the embedded language model: examples, their rendering, the loop. Nothing at run time imports it."""
