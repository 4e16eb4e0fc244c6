"""Studies: does quality-tuning work, how many images does it need, which autoencoder is best?"""
