// Reads the JSON of safetensors headers and shard indexes, one value at a time, straight from the bytes. It builds no tree:
// the caller says what must come next, and anything else is refused with the offset at which it stood.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace grouper {

class JsonReader {
 public:
  // `where` opens every message, e.g. "Header of /models/a/model.safetensors".
  JsonReader(std::string_view text, std::string where);

  // Calls `member` with each key of the object that must come next; `member` must read the value. A key that comes twice is refused.
  void object(const std::function<void(const std::string& key)>& member);
  // Calls `element` before each element of the array that must come next; `element` must read it.
  void array(const std::function<void()>& element);
  std::string string();
  // An integer from 0 to 2^53 - 1: no sign, fraction or exponent.
  int64_t count();
  // Reads any value and forgets it.
  void skip();
  // Only white space may be left.
  void end();

  [[noreturn]] void refuse(const std::string& expected) const;

 private:
  char peek();
  void expect(char wanted);
  bool take(char wanted);
  void skip_literal();
  unsigned hex4();

  std::string_view text_;
  std::string where_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace grouper
