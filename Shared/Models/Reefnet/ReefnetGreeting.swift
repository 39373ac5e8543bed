/// Who a frame says that it is from, and by what it proves that: what is read of a connection's first frame before anything of it is believed.
///
/// A module may begin with `{"protocol":"reefnet.v1","module_id":"…","type":"hello","payload":{"token":"…"}}`, where `token` is its secret or its token; without one its first
/// frame, whatever it is, tells the `module_id`.
package struct ReefnetGreeting: Hashable, Sendable {
  package let moduleID: String?
  /// Nil in any frame that is no `hello`.
  package let token: String?
  /// A `hello` has done its work when the module is known.
  package let isHello: Bool

  package init(parsing text: [UInt8]) throws(ReefnetRefusal) {
    let object = try ReefnetRefusal.frame(text)
    moduleID = object.string("module_id")
    isHello = object.string("type") == "hello"
    token = isHello ? object.object("payload")?.string("token") : nil
  }
}

/// Another token in place of the one that runs out: `{"type":"auth","token":"…"}` (SPEC, section 2).
package struct ReefnetRenewal: Hashable, Sendable {
  package let token: String

  /// Nil for any other frame.
  package init?(parsing text: [UInt8]) {
    guard let object = try? ReefnetRefusal.frame(text), object.string("type") == "auth", let token = object.string("token") else {
      return nil
    }
    self.token = token
  }
}
