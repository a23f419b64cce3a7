// The seam for encryption, with a cipher that hides nothing from anybody: each byte is changed by a
// number that depends on its place in the stream.

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "node/hypervisor/channel.h"

namespace failsim::node {
namespace {

class ToyCipher final : public DataCipher {
 public:
  void wrap(std::span<std::byte> bytes) override { change(bytes, sent_); }
  void unwrap(std::span<std::byte> bytes) override { change(bytes, received_); }

 private:
  static void change(std::span<std::byte> bytes, std::uint64_t& place) {
    for (std::byte& byte : bytes) byte ^= static_cast<std::byte>(++place * 31 % 251 + 1);
  }
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

class CipheredChannel : public testing::Test {
 protected:
  CipheredChannel() {
    int sockets[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
    here_ = sockets[0];
    there_ = sockets[1];
  }
  Channel channel(int socket) {
    return Channel(Fd(socket), signal_, nullptr, std::make_unique<ToyCipher>());
  }
  static Io send(Channel& channel, std::string first, std::string second) {
    iovec pieces[2] = {{first.data(), first.size()}, {second.data(), second.size()}};
    return channel.send(pieces, 2, kSecond);
  }

  Signal signal_;
  int here_ = -1;
  int there_ = -1;
};

TEST_F(CipheredChannel, BytesTravelWrappedAndArriveAsTheyWere) {
  Channel source = channel(here_);
  Channel target = channel(there_);
  for (const std::string& text : {std::string("first"), std::string(3000, 'x'), std::string("z")}) {
    ASSERT_EQ(send(source, text, "tail"), Io::kDone);
    std::string received(text.size() + 4, '\0');
    std::string head = received.substr(0, 3);
    // In another cut than they were sent, and with reading ahead.
    ASSERT_EQ(target.receive(head.data(), head.size(), kSecond), Io::kDone);
    std::string rest(text.size() + 1, '\0');
    iovec piece{rest.data(), rest.size()};
    ASSERT_EQ(target.receive(&piece, 1, kSecond), Io::kDone);
    EXPECT_EQ(head + rest, text + "tail");
  }
  // The other way has a place of its own.
  ASSERT_EQ(send(target, "an", "swer"), Io::kDone);
  std::array<char, 6> answer{};
  ASSERT_EQ(source.receive(answer.data(), answer.size(), kSecond), Io::kDone);
  EXPECT_EQ(std::string(answer.data(), answer.size()), "answer");
}

TEST_F(CipheredChannel, WhatIsSentIsNotTouchedAndDoesNotTravelPlainly) {
  Channel source = channel(here_);
  const Fd other(there_);
  std::string memory(4096, 'm');
  iovec piece{memory.data(), memory.size()};
  ASSERT_EQ(source.send(&piece, 1, kSecond), Io::kDone);
  EXPECT_EQ(memory, std::string(4096, 'm')) << "it may be a guest's";
  std::vector<char> wire(4096);
  ASSERT_EQ(recv(other.get(), wire.data(), wire.size(), MSG_WAITALL), 4096);
  EXPECT_EQ(std::count(wire.begin(), wire.end(), 'm'), 0);
}

TEST_F(CipheredChannel, LastWordsAreUnwrapped) {
  Channel source = channel(here_);
  {
    Channel target = channel(there_);
    ASSERT_EQ(send(target, "I cannot", ""), Io::kDone);
  }
  const std::vector<std::byte> words = source.last_words(100);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(words.data()), words.size()), "I cannot");
}

TEST_F(CipheredChannel, WithoutACipherBytesTravelAsTheyAre) {
  Channel source(Fd(here_), signal_);
  const Fd other(there_);
  ASSERT_EQ(send(source, "plain", "text"), Io::kDone);
  std::array<char, 9> wire{};
  ASSERT_EQ(recv(other.get(), wire.data(), wire.size(), MSG_WAITALL), 9);
  EXPECT_EQ(std::string(wire.data(), wire.size()), "plaintext");
}

}  // namespace
}  // namespace failsim::node
