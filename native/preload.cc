#include "preload.h"

#include <dlfcn.h>

#include <filesystem>
#include <string>
#include <system_error>

#include <c10/util/Exception.h>

namespace grouper {

namespace fs = std::filesystem;

namespace {

// The folder of libc10.so, which is the folder of all of libtorch.
fs::path libtorch_dir() {
  Dl_info info{};
  const auto* symbol = reinterpret_cast<const void*>(&c10::GetExceptionString);
  if (dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return {};
  return fs::path(info.dli_fname).parent_path();
}

void open_for_everyone(const fs::path& path) { dlopen(path.c_str(), RTLD_LAZY | RTLD_GLOBAL); }

}  // namespace

void preload_cuda_companions() {
  const fs::path lib = libtorch_dir();
  std::error_code absent;
  if (!fs::exists(lib / "libtorch_cuda.so", absent)) return;
  open_for_everyone(lib / "libtorch_global_deps.so");
  for (const auto& package : fs::directory_iterator(lib.parent_path().parent_path() / "nvidia", absent)) {
    for (const auto& file : fs::directory_iterator(package.path() / "lib", absent)) {
      const std::string name = file.path().filename().string();
      if (name.starts_with("libnvrtc.so.") || name.starts_with("libnvJitLink.so.")) open_for_everyone(file.path());
    }
  }
}

}  // namespace grouper
