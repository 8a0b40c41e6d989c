"""From a file to numbers: detector frames, figures, headers, colours."""
