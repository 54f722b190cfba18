"""The same work by the authors' recipe, by PEFT and Trainer, and by ours, side by side on one device; and what prompt
length costs ours."""
