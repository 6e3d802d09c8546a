"""What the site needs beside its pages: public names, the pages of the reference, the chapters."""
