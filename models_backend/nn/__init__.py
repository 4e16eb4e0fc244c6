"""Network parts: autoencoder, U-Net, text encoder."""
