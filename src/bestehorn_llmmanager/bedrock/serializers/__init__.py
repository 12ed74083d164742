"""Old path of the serializer of catalogues."""
