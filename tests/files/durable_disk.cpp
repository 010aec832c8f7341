// A durable index on a disk that loses power, or refuses a call: whatever happens when, `open` finds every change that
// was acknowledged, none that was refused, each once.
#include <embit/index/durable.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>

#include <algorithm>
#include <cerrno>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include "recorded_disk.hpp"

namespace {

using flat = embit::flat_index<>;
using labelled = embit::labelled_index<flat>;
constexpr std::size_t bits = 128;

// What can be found in an index, as numbers.
using content = std::vector<std::uint64_t>;

template <class Index>
content content_of(const Index& index) {
  content found;
  std::vector<embit::word> code(2);
  if constexpr (requires { index.labels(); }) {
    std::map<embit::row_label, embit::row_id> rows;
    for (embit::row_id row = 0; row < index.index().rows(); ++row)
      if (index.index().contains(row)) rows[index.labels().label_of(row)] = row;
    for (const auto& [label, row] : rows) {
      index.index().store().copy_row(row, code);
      found.insert(found.end(), {label, code[0], code[1]});
    }
  } else {
    for (embit::row_id row = 0; row < index.rows(); ++row) {
      index.store().copy_row(row, code);
      found.insert(found.end(), {std::uint64_t{index.contains(row)}, code[0], code[1]});
    }
  }
  return found;
}

template <class Durable>
content content_of_file(const std::string& path) {
  const auto opened = Durable::open(path);
  return content_of(opened.index());
}

template <class Index>
Index empty_index() {
  if constexpr (std::same_as<Index, labelled>)
    return labelled{flat{embit::block_store<>{bits}}};
  else
    return Index{embit::block_store<>{bits}};
}

struct step {
  enum kinds { add, replace, remove, compact, checkpoint, reopen } kind;
  std::uint64_t number;  // says of everything else what it is
  std::size_t rows = 0;
};

// Some steps of every kind, and among them some that must be refused or change nothing.
std::vector<step> make_script(std::size_t steps, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<step> script;
  for (std::size_t i = 0; i < steps; ++i) {
    const std::uint64_t number = random() % 64;
    switch (random() % 10) {
      case 0:
      case 1: script.push_back({step::add, number, 1 + random() % 3}); break;
      case 2: script.push_back({step::add, number, random() % 2 * (60 + random() % 100)}); break;
      case 3: script.push_back({step::replace, number, 1 + random() % 40}); break;
      case 4:
      case 5:
      case 6: script.push_back({step::remove, number}); break;
      case 7: script.push_back({step::compact, 0}); break;
      case 8: script.push_back({step::checkpoint, 0}); break;
      default: script.push_back({step::reopen, 0});
    }
  }
  return script;
}

// Does a step to an index, durable or not, as far as it changes what is in it.
template <class Index, class Target>
void take(const step& s, Target& target) {
  embit::code_store<> codes(s.rows, bits);
  std::vector<embit::row_label> labels;
  for (std::size_t i = 0; i < s.rows; ++i) {
    codes.row(i)[0] = s.number;
    codes.row(i)[1] = i;
    labels.push_back(s.number + i);
  }
  switch (s.kind) {
    case step::add:
    case step::replace:
      if constexpr (std::same_as<Index, labelled>)
        target.add(codes, labels,
                   s.kind == step::add ? embit::duplicate_labels::refuse : embit::duplicate_labels::replace);
      else
        target.add(codes);
      return;
    case step::remove:
      if constexpr (std::same_as<Index, labelled>)
        target.remove(embit::row_label{s.number});
      else
        target.remove(static_cast<embit::row_id>(s.number));
      return;
    case step::compact: target.compact(); return;
    case step::checkpoint:
    case step::reopen: return;
  }
}

struct tally {
  std::size_t calls = 0, failures = 0, ordered = 0, weak = 0, again = 0, distinct = 0, refused = 0, wrong = 0;
  std::string first;

  void expect(bool right, std::size_t& count, const std::string& what) {
    if (right) return;
    ++count;
    if (first.empty()) first = what;
  }
};

struct recorded {
  support::folder_state before;
  std::vector<support::disk_call> calls;
};

// A session with a durable index, and what may be found of it after each call to the disk.
template <class Index>
class session {
 public:
  using durable = embit::durable_index<Index>;

  session(std::string folder, tally& counts)
      : folder_(std::move(folder)), counts_(counts), memory_(empty_index<Index>()) {}

  std::string path() const { return folder_ + "/x"; }

  // Runs a script, in which a call to the disk may fail.
  void run(const std::vector<step>& script, support::disk_recorder& disk) {
    for (int tries = 0; !index_ && tries < 2; ++tries) {
      const std::string said = support::refusal([&] { index_.emplace(durable::create(path(), empty_index<Index>())); });
      counts_.expect(disk.repair() || index_, counts_.refused, "create: " + said);
      if (!index_) std::filesystem::remove(path());  // where only the folder was not synced
    }
    INFO(counts_.first);
    REQUIRE(index_);
    allow({content_of(memory_)}, disk);
    for (const step& s : script) {
      if (s.kind == step::reopen)
        reopen(disk);
      else
        change(s, disk);
    }
    reopen(disk);
    index_.reset();
  }

  // Opens everything that a power cut may leave once one of the calls [first, last) was made.
  void cut_power(const recorded& disk, std::size_t first, std::size_t last, std::size_t draws,
                 const support::temp_dir& work, std::mt19937& random) {
    support::disk_model model(disk.before);
    std::size_t allowed = 0;
    for (std::size_t i = 0; i < disk.calls.size() && i < last; ++i) {
      model.call(disk.calls[i]);
      while (allowed + 1 < allowed_.size() && allowed_[allowed + 1].from <= i + 1) ++allowed;
      if (i < first || allowed_[allowed].from > i + 1) continue;  // nothing is promised before `create` has returned
      each_state(model, draws, random, [&](const support::folder_state& state, bool weak) {
        ++(weak ? counts_.weak : counts_.ordered);
        check(state, allowed_[allowed].contents, work, random, true);
      });
    }
  }

 private:
  struct choice {
    std::size_t from;  // calls to the disk
    std::vector<content> contents;
  };

  void allow(std::vector<content> contents, const support::disk_recorder& disk) {
    allowed_.push_back({disk.calls().size(), std::move(contents)});
  }

  void change(const step& s, support::disk_recorder& disk) {
    Index after = memory_;
    const std::string refusal = support::refusal([&] { take<Index>(s, after); });
    if (refusal != "accepted") after = memory_;
    const content then = content_of(after), before = content_of(memory_);
    allow({before, then}, disk);
    const std::string said = support::refusal([&] {
      if (s.kind == step::checkpoint)
        index_->checkpoint();
      else
        take<Index>(s, *index_);
    });
    const bool failed = disk.repair();
    if (said == "accepted") {
      counts_.expect(refusal == "accepted", counts_.wrong, "accepted what is refused: " + refusal);
      memory_ = std::move(after);
    } else {
      counts_.expect(failed || refusal != "accepted", counts_.refused, said);
    }
    counts_.expect(content_of(index_->index()) == content_of(memory_), counts_.wrong, "in memory, after " + said);
    if (index_->needs_reopening()) {
      counts_.expect(failed, counts_.refused, "needs reopening without a failure");
      counts_.expect(support::refusal([&] { index_->checkpoint(); }) != "accepted", counts_.wrong, "a checkpoint");
      reopen(disk, &after);
    }
    allow({content_of(memory_)}, disk);
  }

  // Where it was not known what is on disk, `after` may be.
  void reopen(support::disk_recorder& disk, const Index* after = nullptr) {
    index_.reset();
    for (int tries = 0; !index_ && tries < 2; ++tries) {
      const std::string said = support::refusal([&] { index_.emplace(durable::open(path())); });
      counts_.expect(disk.repair() || index_, counts_.refused, "open: " + said);
    }
    INFO(counts_.first);
    REQUIRE(index_);
    const content found = content_of(index_->index());
    if (after != nullptr && found == content_of(*after)) memory_ = *after;
    counts_.expect(found == content_of(memory_), counts_.wrong, "opened again");
  }

  template <class Found>
  static void each_state(const support::disk_model& model, std::size_t draws, std::mt19937& random, Found&& found) {
    for (std::size_t sectors = 0; sectors <= model.last_sectors(); ++sectors) found(model.torn(sectors), false);
    for (std::size_t draw = 0; draw < draws; ++draw) found(model.weak(random), true);
  }

  // Opens a state and goes on with what was found; now and then the power fails again while it is opened.
  void check(const support::folder_state& state, const std::vector<content>& allowed, const support::temp_dir& work,
             std::mt19937& random, bool may_fail) {
    if (!is_new(state, allowed)) return;
    for (const auto& entry : std::filesystem::directory_iterator(work.path())) std::filesystem::remove(entry.path());
    for (const auto& [name, bytes] : state) std::ofstream(work / name, std::ios::binary) << bytes;
    recorded opening;
    content found, more;
    const std::string said = support::refusal([&] {
      {
        const support::disk_recorder disk(work.path());
        const auto index = durable::open(work / "x");
        found = content_of(index.index());
        opening = {disk.before(), disk.calls()};
      }
      if (may_fail && random() % 4 != 0) return;
      {
        auto index = durable::open(work / "x");
        take<Index>({step::replace, 1000, 3}, index);
        more = content_of(index.index());
      }
      counts_.expect(content_of_file<durable>(work / "x") == more, counts_.wrong, "after one more change");
    });
    counts_.expect(said == "accepted", counts_.refused, said);
    counts_.expect(said != "accepted" || std::ranges::count(allowed, found) != 0, counts_.wrong, "after a power cut");
    if (!may_fail || random() % 8 != 0) return;
    support::disk_model model(opening.before);
    for (const support::disk_call& call : opening.calls) {
      model.call(call);
      each_state(model, 2, random, [&](const support::folder_state& next, bool) {
        ++counts_.again;
        check(next, allowed, work, random, false);
      });
    }
  }

  bool is_new(const support::folder_state& state, const std::vector<content>& allowed) {
    std::string key;
    for (const auto& [name, bytes] : state) key += name + ' ' + std::to_string(bytes.size()) + ' ' + bytes;
    for (const content& one : allowed)
      key.append(reinterpret_cast<const char*>(one.data()), one.size() * sizeof(std::uint64_t)) += '|';
    const bool fresh = seen_.insert(std::hash<std::string>{}(key)).second;
    counts_.distinct += fresh;
    return fresh;
  }

  std::string folder_;
  tally& counts_;
  Index memory_;
  std::optional<durable> index_;
  std::vector<choice> allowed_;
  std::set<std::size_t> seen_;
};

void report(const char* what, const tally& counts) {
  WARN(what << ": " << counts.calls << " calls to the disk, " << counts.failures << " failures, " << counts.ordered
            << " states in order, " << counts.weak << " in any order, " << counts.again << " after a second cut ("
            << counts.distinct << " of all distinct); " << counts.refused << " refused, " << counts.wrong << " wrong");
  INFO(counts.first);
  CHECK(counts.refused == 0);
  CHECK(counts.wrong == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("a power cut at any moment loses nothing that was acknowledged", "", flat, labelled) {
  if (!support::disk_recorder::works()) return;
  tally counts;
  std::mt19937 random(1);
  const support::temp_dir work(support::temp_dir::in_memory());
  for (const std::uint32_t seed : {1u, 2u, 3u, 4u, 5u, 6u}) {
    const support::temp_dir dir(support::temp_dir::in_memory());
    session<TestType> with(dir.path(), counts);
    recorded disk;
    {
      support::disk_recorder recorder(dir.path());
      with.run(make_script(40, seed), recorder);
      disk = {recorder.before(), recorder.calls()};
    }
    counts.calls += disk.calls.size();
    with.cut_power(disk, 0, disk.calls.size(), 24, work, random);
  }
  report("power cuts", counts);
  CHECK(counts.distinct > 1000);
}

TEMPLATE_TEST_CASE("a call that the system refuses, whichever, is a change that was not made", "", flat, labelled) {
  if (!support::disk_recorder::works()) return;
  using support::disk_recorder;
  tally counts;
  std::mt19937 random(2);
  const support::temp_dir work(support::temp_dir::in_memory());
  const auto script = make_script(20, 4);
  for (const auto how : {disk_recorder::once, disk_recorder::half, disk_recorder::onwards})
    for (std::size_t call = 0;; ++call) {
      const support::temp_dir dir(support::temp_dir::in_memory());
      session<TestType> with(dir.path(), counts);
      recorded disk;
      std::size_t failed_at = 0;
      bool failed = false;
      {
        disk_recorder recorder(dir.path());
        recorder.fail(call, how == disk_recorder::half ? ENOSPC : EIO, how);
        with.run(script, recorder);
        disk = {recorder.before(), recorder.calls()};
        failed = recorder.has_failed();
        failed_at = recorder.calls_before_failure();
      }
      counts.calls += disk.calls.size();
      if (!failed) break;
      ++counts.failures;
      with.cut_power(disk, failed_at == 0 ? 0 : failed_at - 1, failed_at + 8, 2, work, random);
    }
  report("refused calls", counts);
  CHECK(counts.failures > 150);
}

TEMPLATE_TEST_CASE("two that create an index at the same time: one does, and keeps it", "", flat, labelled) {
  if (!support::disk_recorder::works()) return;
  const support::temp_dir dir(support::temp_dir::in_memory());
  support::disk_recorder disk(dir.path());
  struct other {
    std::string path;
    content kept;
  } first{dir / "x", {}};
  // The other one comes after the first look at whether the file is there, and is gone before the lock is wanted.
  disk.before_opening(
      "x.log",
      [](void* with) {
        auto& mine = *static_cast<other*>(with);
        auto index = embit::durable_index<TestType>::create(mine.path, empty_index<TestType>());
        take<TestType>({step::replace, 7, 5}, index);
        mine.kept = content_of(index.index());
      },
      &first);
  CHECK(support::contains(
      support::refusal([&] { embit::durable_index<TestType>::create(dir / "x", empty_index<TestType>()); }),
      "x: is there already"));
  CHECK_FALSE(first.kept.empty());
  CHECK(content_of_file<embit::durable_index<TestType>>(dir / "x") == first.kept);
}

TEST_CASE("a sync that fails takes the change back, and nothing is acknowledged until the index is opened again") {
  if (!support::disk_recorder::works()) return;
  const support::temp_dir dir(support::temp_dir::in_memory());
  support::disk_recorder disk(dir.path());
  {
    auto index = embit::durable_index<flat>::create(dir / "x", empty_index<flat>());
    take<flat>({step::add, 1, 2}, index);
    disk.fail(1, EIO, support::disk_recorder::once);  // the write goes well
    CHECK(support::contains(support::refusal([&] { take<flat>({step::add, 2, 2}, index); }), "x.log: cannot append"));
    CHECK(disk.repair());
    CHECK(index.needs_reopening());
    CHECK(index.index().rows() == 2);
    for (const auto kind : {step::add, step::remove, step::checkpoint, step::compact})
      CHECK(support::contains(support::refusal([&] {
                                if (kind == step::checkpoint) index.checkpoint();
                                take<flat>({kind, 1, 1}, index);
                              }),
                              "open it again"));
    CHECK(index.index().size() == 2);
  }
  auto index = embit::durable_index<flat>::open(dir / "x");
  CHECK(index.index().rows() == 2);
  CHECK_FALSE(index.needs_reopening());
  take<flat>({step::add, 3, 1}, index);
}

TEST_CASE("a file that comes without its log gets one that a power cut leaves there") {
  if (!support::disk_recorder::works()) return;
  const support::temp_dir dir(support::temp_dir::in_memory()), work(support::temp_dir::in_memory());
  { embit::durable_index<flat>::create(dir / "x", empty_index<flat>()); }
  std::filesystem::remove(dir / "x.log");
  support::disk_model model({});
  content expected;
  {
    support::disk_recorder disk(dir.path());
    {
      auto index = embit::durable_index<flat>::open(dir / "x");
      take<flat>({step::add, 5, 2}, index);
      expected = content_of(index.index());
    }
    model = support::disk_model(disk.before());
    for (const support::disk_call& call : disk.calls()) model.call(call);
  }
  std::mt19937 random(3);
  for (int draw = 0; draw < 20; ++draw) {
    std::filesystem::remove(work / "x.log");
    for (const auto& [name, bytes] : model.weak(random)) std::ofstream(work / name, std::ios::binary) << bytes;
    CHECK(content_of_file<embit::durable_index<flat>>(work / "x") == expected);
  }
}
