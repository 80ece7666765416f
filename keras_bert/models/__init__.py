"""The models: the only place that opens a BertConfig."""
