"""Charts and diagrams in the course's style; chapters call them through `minibert.course.plots`."""
