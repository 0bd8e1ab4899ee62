"""The agent that works pictures in a bucket: black and white, thumbnails, edges and the like."""
