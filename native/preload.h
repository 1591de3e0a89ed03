// Makes the libraries findable that CUDA's own libraries open late and by bare name.
#pragma once

namespace grouper {

// cuDNN opens nvrtc, and cuSPARSE nvJitLink, by a name that no rpath of theirs covers; in a wheel they lie in packages beside torch.
// Once loaded under their names they are found. Does nothing where libtorch has no CUDA.
void preload_cuda_companions();

}  // namespace grouper
