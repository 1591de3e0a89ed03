#include "json_reader.h"

#include <set>
#include <utility>

#include <c10/util/Exception.h>

namespace grouper {

namespace {

constexpr int kMaxDepth = 32;
constexpr int64_t kMaxCount = (int64_t{1} << 53) - 1;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
  } else {
    if (code < 0x10000) {
      out += static_cast<char>(0xE0 | (code >> 12));
    } else {
      out += static_cast<char>(0xF0 | (code >> 18));
      out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    }
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
  }
  out += static_cast<char>(0x80 | (code & 0x3F));
}

}  // namespace

JsonReader::JsonReader(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

void JsonReader::refuse(const std::string& expected) const {
  TORCH_CHECK(false, where_, " is not valid: expected ", expected, " at byte ", at_, " of its JSON.");
}

char JsonReader::peek() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonReader::take(char wanted) {
  if (peek() != wanted || at_ >= text_.size()) return false;
  ++at_;
  return true;
}

void JsonReader::expect(char wanted) {
  if (!take(wanted)) refuse(std::string("'") + wanted + "'");
}

void JsonReader::object(const std::function<void(const std::string& key)>& member) {
  expect('{');
  if (++depth_ > kMaxDepth) refuse("at most 32 levels of nesting");
  std::set<std::string> keys;
  if (!take('}')) {
    do {
      std::string key = string();
      if (!keys.insert(key).second) refuse("each key once, but \"" + key + "\" comes twice");
      expect(':');
      member(key);
    } while (take(','));
    expect('}');
  }
  --depth_;
}

void JsonReader::array(const std::function<void()>& element) {
  expect('[');
  if (++depth_ > kMaxDepth) refuse("at most 32 levels of nesting");
  if (!take(']')) {
    do element();
    while (take(','));
    expect(']');
  }
  --depth_;
}

unsigned JsonReader::hex4() {
  unsigned code = 0;
  for (int digit = 0; digit < 4; ++digit, ++at_) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    if (c >= '0' && c <= '9') code = code * 16 + static_cast<unsigned>(c - '0');
    else if (c >= 'a' && c <= 'f') code = code * 16 + static_cast<unsigned>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F') code = code * 16 + static_cast<unsigned>(c - 'A' + 10);
    else refuse("four hexadecimal digits after \\u");
  }
  return code;
}

std::string JsonReader::string() {
  if (!take('"')) refuse("a string");
  std::string out;
  while (true) {
    if (at_ >= text_.size()) refuse("the end of a string");
    const char c = text_[at_];
    if (static_cast<unsigned char>(c) < 0x20) refuse("no control character inside a string");
    ++at_;
    if (c == '"') return out;
    if (c != '\\') {
      out += c;
      continue;
    }
    const char escape = at_ < text_.size() ? text_[at_++] : '\0';
    static constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
    if (const size_t which = names.find(escape); escape != '\0' && which != std::string_view::npos) {
      out += values[which];
    } else if (escape == 'u') {
      unsigned code = hex4();
      if (code >= 0xDC00 && code < 0xE000) refuse("no lone surrogate in a string");
      if (code >= 0xD800 && code < 0xDC00) {
        if (text_.substr(at_, 2) != "\\u") refuse("the second half of a surrogate pair");
        at_ += 2;
        const unsigned low = hex4();
        if (low < 0xDC00 || low >= 0xE000) refuse("the second half of a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      }
      append_utf8(out, code);
    } else {
      refuse("a valid escape in a string");
    }
  }
}

int64_t JsonReader::count() {
  const char first = peek();
  if (first < '0' || first > '9') refuse("an integer from 0 up");
  int64_t value = 0;
  const size_t start = at_;
  for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
    value = value * 10 + (text_[at_] - '0');
    if (value > kMaxCount) refuse("an integer below 2^53");
  }
  if (first == '0' && at_ - start > 1) refuse("an integer without leading zeros");
  if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E')) refuse("an integer without fraction or exponent");
  return value;
}

void JsonReader::skip_literal() {
  const size_t start = at_;
  while (at_ < text_.size() && std::string_view("+-.0123456789abcdefghijklmnopqrstuvwxyzE").find(text_[at_]) != std::string_view::npos) ++at_;
  const std::string_view literal = text_.substr(start, at_ - start);
  const bool number = !literal.empty() && (literal[0] == '-' || (literal[0] >= '0' && literal[0] <= '9'));
  if (!number && literal != "true" && literal != "false" && literal != "null") refuse("a value");
}

void JsonReader::skip() {
  switch (peek()) {
    case '{': return object([this](const std::string&) { skip(); });
    case '[': return array([this] { skip(); });
    case '"': string(); return;
    default: return skip_literal();
  }
}

void JsonReader::end() {
  if (peek() != '\0' || at_ < text_.size()) refuse("the end");
}

}  // namespace grouper
