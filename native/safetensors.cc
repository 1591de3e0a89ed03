#include "safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>
#include <vector>

#include "json_reader.h"

namespace grouper {

namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxDimensions = 16;

struct DtypeName {
  std::string_view name;
  at::ScalarType type;
};

constexpr std::array<DtypeName, 8> kDtypes = {{
    {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}, {"F64", at::kDouble},
    {"I64", at::kLong}, {"I32", at::kInt}, {"U8", at::kByte}, {"BOOL", at::kBool},
}};

struct Entry {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;
  int64_t begin = 0, end = 0;  // bytes, counted from the end of the header
};

class File {
 public:
  File(const std::string& path, int flags) : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    TORCH_CHECK(fd_ >= 0, "Could not open ", path, ": ", std::strerror(errno), ".");
  }
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // A pipe or a device in place of a file would block or never end.
  uint64_t size() const {
    struct stat info {};
    TORCH_CHECK(::fstat(fd_, &info) == 0, "Could not look at ", path_, ": ", std::strerror(errno), ".");
    TORCH_CHECK(S_ISREG(info.st_mode), "Expected ", path_, " to be a regular file.");
    return static_cast<uint64_t>(info.st_size);
  }

  void read(void* data, size_t size, uint64_t offset) const {
    auto* bytes = static_cast<char*>(data);
    while (size > 0) {
      const ssize_t got = ::pread(fd_, bytes, std::min<size_t>(size, 1 << 30), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      TORCH_CHECK(got >= 0, "Could not read ", path_, ": ", std::strerror(errno), ".");
      TORCH_CHECK(got > 0, "Could not read ", path_, ": the file became shorter while it was read.");
      bytes += got;
      offset += static_cast<uint64_t>(got);
      size -= static_cast<size_t>(got);
    }
  }

  void write(const void* data, size_t size) const {
    const auto* bytes = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t put = ::write(fd_, bytes, std::min<size_t>(size, 1 << 30));
      if (put < 0 && errno == EINTR) continue;
      TORCH_CHECK(put > 0, "Could not write ", path_, ": ", std::strerror(errno), ".");
      bytes += put;
      size -= static_cast<size_t>(put);
    }
  }

  // Close can report what a full or remote disk held back, so it is checked too.
  void sync_and_close() {
    TORCH_CHECK(::fsync(fd_) == 0, "Could not write ", path_, " to disk: ", std::strerror(errno), ".");
    const int closed = ::close(std::exchange(fd_, -1));
    TORCH_CHECK(closed == 0, "Could not close ", path_, ": ", std::strerror(errno), ".");
  }

 private:
  std::string path_;
  int fd_;
};

at::ScalarType dtype_named(const std::string& name, const std::string& tensor, const std::string& path) {
  for (const auto& dtype : kDtypes) {
    if (dtype.name == name) return dtype.type;
  }
  TORCH_CHECK(false, "Tensor \"", tensor, "\" of ", path, " has the dtype \"", name,
              "\": expected one of F32, F16, BF16, F64, I64, I32, U8, BOOL.");
}

std::string_view name_of(at::ScalarType type, const std::string& tensor) {
  for (const auto& dtype : kDtypes) {
    if (dtype.type == type) return dtype.name;
  }
  TORCH_CHECK(false, "Tensor \"", tensor, "\" of type ", type, " cannot be written to a safetensors file.");
}

Entry read_entry(JsonReader& json, const std::string& name, const std::string& path) {
  Entry entry;
  entry.name = name;
  std::vector<int64_t> offsets;
  bool has_dtype = false, has_shape = false;
  json.object([&](const std::string& key) {
    if (key == "dtype") {
      entry.dtype = dtype_named(json.string(), name, path);
      has_dtype = true;
    } else if (key == "shape") {
      json.array([&] {
        entry.shape.push_back(json.count());
        if (entry.shape.size() > kMaxDimensions) json.refuse("at most 16 dimensions");
      });
      has_shape = true;
    } else if (key == "data_offsets") {
      json.array([&] {
        offsets.push_back(json.count());
        if (offsets.size() > 2) json.refuse("two data_offsets");
      });
    } else {
      json.refuse("dtype, shape or data_offsets of tensor \"" + name + "\", not \"" + key + "\"");
    }
  });
  TORCH_CHECK(has_dtype && has_shape && offsets.size() == 2, "Tensor \"", name, "\" of ", path,
              " lacks its dtype, its shape or its two data_offsets.");
  entry.begin = offsets[0];
  entry.end = offsets[1];
  return entry;
}

void check_extent(const Entry& entry, uint64_t data_bytes, const std::string& path) {
  TORCH_CHECK(entry.begin <= entry.end && static_cast<uint64_t>(entry.end) <= data_bytes, "Tensor \"", entry.name, "\" of ", path,
              " claims bytes ", entry.begin, " to ", entry.end, " of ", data_bytes, ": the file is truncated or its header is wrong.");
  int64_t expected = static_cast<int64_t>(c10::elementSize(entry.dtype));
  bool overflow = false;
  for (const int64_t size : entry.shape) overflow = __builtin_mul_overflow(expected, size, &expected) || overflow;
  TORCH_CHECK(!overflow && expected == entry.end - entry.begin, "Tensor \"", entry.name, "\" of ", path, " has the shape ",
              at::IntArrayRef(entry.shape), " and ", entry.end - entry.begin, " bytes, which do not match its dtype ", entry.dtype, ".");
}

// The entries must tile the data without gap, overlap or rest: a byte that no tensor owns has no business in the file.
void check_tiling(std::vector<Entry>& entries, uint64_t data_bytes, const std::string& path) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  int64_t covered = 0;
  for (const Entry& entry : entries) {
    TORCH_CHECK(entry.begin == covered, "Tensor \"", entry.name, "\" of ", path, " starts at byte ", entry.begin, ", but ",
                entry.begin < covered ? "overlaps another tensor that ends at byte " : "a gap begins at byte ", covered, ".");
    covered = entry.end;
  }
  TORCH_CHECK(static_cast<uint64_t>(covered) == data_bytes, path, " has ", data_bytes - static_cast<uint64_t>(covered),
              " bytes after its last tensor that belong to none.");
}

std::vector<Entry> read_header(const File& file, uint64_t file_bytes, const std::string& path, uint64_t& data_start) {
  TORCH_CHECK(file_bytes >= 8, path, " has ", file_bytes, " bytes: too short for a safetensors file.");
  std::array<unsigned char, 8> raw{};
  file.read(raw.data(), raw.size(), 0);
  uint64_t header_bytes = 0;
  for (size_t i = raw.size(); i-- > 0;) header_bytes = header_bytes << 8 | raw[i];
  TORCH_CHECK(header_bytes <= kMaxHeaderBytes, path, " states a header of ", header_bytes, " bytes: the limit is ", kMaxHeaderBytes,
              ", so this is no safetensors file or a damaged one.");
  TORCH_CHECK(header_bytes <= file_bytes - 8, path, " states a header of ", header_bytes, " bytes but has only ", file_bytes - 8,
              " after the length: the file is truncated.");
  data_start = 8 + header_bytes;

  std::string header(header_bytes, '\0');
  file.read(header.data(), header.size(), 8);
  JsonReader json(header, "Header of " + path);
  if (header.empty() || header[0] != '{') json.refuse("'{'");
  std::vector<Entry> entries;
  json.object([&](const std::string& key) {
    if (key == "__metadata__") {
      json.object([&](const std::string&) { json.string(); });
    } else {
      entries.push_back(read_entry(json, key, path));
      check_extent(entries.back(), file_bytes - data_start, path);
    }
  });
  json.end();
  check_tiling(entries, file_bytes - data_start, path);
  return entries;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      static constexpr char digits[] = "0123456789abcdef";
      out += "\\u00";
      out += digits[c >> 4];
      out += digits[c & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

// Shard name of every tensor, from model.safetensors.index.json.
std::map<std::string, std::string> read_index(const std::string& path) {
  const File file(path, O_RDONLY | O_NONBLOCK);
  const uint64_t size = file.size();
  TORCH_CHECK(size <= kMaxHeaderBytes, path, " has ", size, " bytes: the limit is ", kMaxHeaderBytes, ".");
  std::string text(size, '\0');
  file.read(text.data(), text.size(), 0);
  JsonReader json(text, path);
  std::map<std::string, std::string> shards;
  json.object([&](const std::string& key) {
    if (key != "weight_map") return json.skip();
    json.object([&](const std::string& tensor) {
      const std::string shard = json.string();
      const bool inside = !shard.empty() && shard[0] != '.' && shard.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
      TORCH_CHECK(inside, path, " places tensor \"", tensor, "\" in \"", shard, "\": expected the name of a file in the same folder.");
      shards.emplace(tensor, shard);
    });
  });
  json.end();
  TORCH_CHECK(!shards.empty(), path, " names no tensor in its weight_map.");
  return shards;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace

std::map<std::string, at::Tensor> read_safetensors(const std::string& path) {
  const File file(path, O_RDONLY | O_NONBLOCK);
  const uint64_t file_bytes = file.size();
  uint64_t data_start = 0;
  std::map<std::string, at::Tensor> tensors;
  for (const Entry& entry : read_header(file, file_bytes, path, data_start)) {
    at::Tensor tensor = at::empty(entry.shape, at::TensorOptions().dtype(entry.dtype));
    file.read(tensor.data_ptr(), tensor.nbytes(), data_start + static_cast<uint64_t>(entry.begin));
    if (entry.dtype == at::kBool) {
      const auto* bytes = static_cast<const unsigned char*>(tensor.data_ptr());
      const bool boolean = std::all_of(bytes, bytes + tensor.nbytes(), [](unsigned char byte) { return byte <= 1; });
      TORCH_CHECK(boolean, "Tensor \"", entry.name, "\" of ", path, " is BOOL but holds bytes other than 0 and 1.");
    }
    tensors.emplace(entry.name, std::move(tensor));
  }
  return tensors;
}

std::map<std::string, at::Tensor> read_safetensors_dir(const std::string& dir) {
  const std::string single = dir + "/model.safetensors", index = dir + "/model.safetensors.index.json";
  if (exists(single)) return read_safetensors(single);
  TORCH_CHECK(exists(index), "Expected model.safetensors or model.safetensors.index.json in ", dir, ", found neither.");
  const std::map<std::string, std::string> placed = read_index(index);
  std::set<std::string> shards;
  for (const auto& [name, shard] : placed) shards.insert(shard);
  std::map<std::string, at::Tensor> tensors;
  for (const std::string& shard : shards) {
    for (auto& [name, tensor] : read_safetensors(dir + "/" + shard)) {
      const auto place = placed.find(name);
      TORCH_CHECK(place != placed.end() && place->second == shard, dir, "/", shard, " holds tensor \"", name, "\", which ", index,
                  place == placed.end() ? " does not list." : " places in another shard.");
      tensors.emplace(name, std::move(tensor));
    }
  }
  for (const auto& [name, shard] : placed) {
    TORCH_CHECK(tensors.count(name) == 1, index, " places tensor \"", name, "\" in ", shard, ", which does not hold it.");
  }
  return tensors;
}

void write_safetensors(const std::string& path, const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) header += quoted(key) + ":" + quoted(value) + ",";
    header.back() = '}';
    header += ',';
  }
  std::set<std::string> names;
  size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    TORCH_CHECK(name != "__metadata__" && names.insert(name).second, "Expected each tensor name once in ", path, ", got \"", name, "\" again.");
    header += quoted(name) + ":{\"dtype\":\"" + std::string(name_of(tensor.scalar_type(), name)) + "\",\"shape\":[";
    for (int64_t dimension = 0; dimension < tensor.dim(); ++dimension) {
      header += (dimension > 0 ? "," : "") + std::to_string(tensor.size(dimension));
    }
    header += "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(offset + tensor.nbytes()) + "]},";
    offset += tensor.nbytes();
  }
  if (header.size() > 1) header.back() = '}';
  else header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  TORCH_CHECK(header.size() <= kMaxHeaderBytes, "The header of ", path, " would exceed ", kMaxHeaderBytes, " bytes.");

  File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  std::array<unsigned char, 8> length{};
  for (size_t i = 0; i < length.size(); ++i) length[i] = static_cast<unsigned char>(header.size() >> (8 * i));
  file.write(length.data(), length.size());
  file.write(header.data(), header.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor plain = tensor.detach().to(at::kCPU).contiguous();
    file.write(plain.data_ptr(), plain.nbytes());
  }
  file.sync_and_close();
}

}  // namespace grouper
