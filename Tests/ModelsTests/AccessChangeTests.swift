import Models
import Testing

@Suite struct AccessChangeTests {
  @Test(arguments: [
    AccessChange.everything, .user("anna maria"), .user(""), .token("a\tb", ofUser: "anna"), .token("", ofUser: ""),
  ])
  func `an announcement is read as it was meant`(change: AccessChange) {
    #expect(AccessChange(change.encoded()) == change)
  }

  @Test func `an appliance is named by its id`() throws {
    let change = AccessChange.appliance(try ApplianceID("EPIC-001"))
    #expect(AccessChange(change.encoded()) == change)
    #expect(String(decoding: change.encoded(), as: UTF8.self) == "appliance\tEPIC-001")
  }

  @Test(arguments: ["", "anything", "user", "user\ta\tb", "token\tanna", "appliance\tno such id", "\u{0}", "users\tanna"])
  func `what cannot be read means everything`(text: String) {
    #expect(AccessChange(Array(text.utf8)) == .everything)
  }
}
