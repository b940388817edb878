"""How electrons travel through matter: mean free paths, escape, losses."""
