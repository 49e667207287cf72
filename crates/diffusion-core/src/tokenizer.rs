//! CLIP's byte-pair tokenizer, from tokenizer.json or from vocab.json and merges.txt.
