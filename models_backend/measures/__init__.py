"""What models are measured by offline: pixels, fixed features, and small networks trained here."""
