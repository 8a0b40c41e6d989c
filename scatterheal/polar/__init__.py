"""Where pixels lie round the beam: the centre, canvases round it, and how a scan reads them."""
