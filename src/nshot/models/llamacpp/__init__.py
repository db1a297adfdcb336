"""What llama.cpp and Ollama read: GGUF files, written here from a model's folder."""
