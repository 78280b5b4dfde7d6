"""`make screenshots`: every page of the admin as people see it, in light and dark, wide and narrow, English and Spanish.

`world` starts the product with the demo, `pages` lists what to visit, `visiting` photographs and judges, `sheet` writes
the contact sheet. No test: the pictures are for eyes, and the findings for their reader.
"""
