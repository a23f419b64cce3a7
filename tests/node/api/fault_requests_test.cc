// Faults as the interface of a node takes and tells them.
#include "tests/node/api/asked_api.h"

namespace failsim::node {
namespace {

class FaultApiTest : public ApiTest {
 protected:
  FaultApiTest() {
    switchboard_.set_place(1, {1, 2});
    FaultDesk::Outside outside;
    outside.ask = [this](pb::Request request, std::function<void(pb::Reply)> answer) {
      node_.ask(std::move(request), std::move(answer));
    };
    outside.call_after = [](Duration, std::function<void()>) {};
    outside.changed = [this] { ++changes_; };
    node_.faults = std::make_unique<FaultDesk>(1, 1, switchboard_, std::move(outside));
  }

  Switchboard switchboard_{[] { return Time{kSecond}; }, 1};
  int changes_ = 0;
};

TEST_F(ApiTest, WithoutTheFlagNoFaultCanBeInjected) {
  for (const char* method : {"GET", "DELETE"}) EXPECT_EQ(send(method, "/v1/faults"), 409u);
  EXPECT_EQ(send("POST", "/v1/faults", R"({"order":"timer-late node-1 by=5ms"})"), 409u);
  EXPECT_EQ(error_name(), "ERROR_INVALID_STATE");
}

TEST_F(FaultApiTest, AFaultIsInjectedListedAndHealedWithItsEvents) {
  EXPECT_EQ(send("POST", "/v1/faults",
                 R"({"order":"link-cut node-1->node-2 for=5s","id":3,"by":"a test"})"),
            200u);
  EXPECT_EQ(answer().at("id").to_number<int>(), 3);
  EXPECT_EQ(answer().at("order"), "link-cut node-1->node-2 for=5s");
  EXPECT_EQ(asked().note_fault().what(), pb::Request::NoteFault::INJECTED);
  EXPECT_EQ(asked().note_fault().by(), "a test");
  EXPECT_EQ(send("GET", "/v1/faults"), 200u);
  EXPECT_EQ(answer().as_array().size(), 1u);
  EXPECT_EQ(send("DELETE", "/v1/faults/3"), 200u);
  EXPECT_EQ(asked().note_fault().what(), pb::Request::NoteFault::HEALED);
  EXPECT_EQ(send("DELETE", "/v1/faults/3"), 404u);
  EXPECT_EQ(changes_, 2);
}

TEST_F(FaultApiTest, AnInjectorRenewsItsFaultWithoutAnotherEvent) {
  const char* order = R"({"order":"timer-late node-1 by=5ms for=3s","id":8})";
  EXPECT_EQ(send("POST", "/v1/faults", order), 200u);
  EXPECT_EQ(send("POST", "/v1/faults", order), 200u);
  EXPECT_EQ(node_.asked.size(), 1u);
  EXPECT_EQ(send("DELETE", "/v1/faults"), 200u);
  EXPECT_EQ(send("POST", "/v1/faults", order), 409u) << "it was healed";
  EXPECT_EQ(error_name(), "ERROR_OPERATION_ABORTED");
}

TEST_F(FaultApiTest, WhatIsMalformedOrNotThisNodesAffairIsRefused) {
  EXPECT_EQ(send("POST", "/v1/faults", R"({"order":"link-cutt node-1->node-2"})"), 400u);
  EXPECT_NE(answer().at("error").at("next").as_string().find("link-cut"), std::string::npos);
  EXPECT_EQ(send("POST", "/v1/faults", "{}"), 400u);
  EXPECT_EQ(send("POST", "/v1/faults", R"({"order":"kill node-1"})"), 409u);
  EXPECT_EQ(send("POST", "/v1/faults", R"({"order":"link-cut node-1->node-7"})"), 404u);
  EXPECT_EQ(send("DELETE", "/v1/faults/one"), 400u);
  EXPECT_EQ(changes_, 0);
}

TEST_F(ApiTest, TheLauncherTellsOfItsFaults) {
  EXPECT_EQ(send("POST", "/v1/fault-notes",
                 R"({"what":"expired","fault":4,"order":"kill node-2","by":"a test"})"),
            200u);
  EXPECT_EQ(asked().note_fault().what(), pb::Request::NoteFault::EXPIRED);
  EXPECT_EQ(asked().note_fault().fault(), 4u);
  EXPECT_EQ(send("POST", "/v1/fault-notes", R"({"what":"imagined","order":"kill node-2"})"), 400u);
}

}  // namespace
}  // namespace failsim::node
