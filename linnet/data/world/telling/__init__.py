"""telling: stories made by letting things happen in the village and putting each event into words."""
