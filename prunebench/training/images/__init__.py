"""Images as training needs them: held on the device or read from files, augmented, normalised, in batches."""
