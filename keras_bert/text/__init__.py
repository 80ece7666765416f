"""Strings to ids and back: vocabulary, tokenizer, packing, masking."""
