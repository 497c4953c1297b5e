"""`vosbench report`: one HTML file in which runs over a dataset can be looked at, without a server
or a network.

`content` gathers what the page shows, `pictures` thins and packs the frames, `failures` finds what
went wrong, `page` renders the templates.
"""
