"""Models to directories and back: the Hub's layout and Google's."""
