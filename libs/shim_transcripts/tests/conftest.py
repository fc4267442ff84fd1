from hypothesis import settings

# A busy machine is no defect of the reader.
settings.register_profile("shim_transcripts", deadline=None)
settings.load_profile("shim_transcripts")
