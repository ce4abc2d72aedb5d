"""Charts and diagrams in the course's style; chapters call them by way of `minibert.course.plots`."""
