"""How many instances fit, and what each one more costs."""
