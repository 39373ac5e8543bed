internal import Models

/// What the `data` of a command must hold. Members that it does not name pass: a newer app or device may know more.
struct DataShape: Sendable {
  enum Kind: Sendable {
    /// Not empty, and of at most so many bytes of UTF-8.
    case text(bytesMax: Int)
    case number
    case object(DataShape)
  }

  struct Member: Sendable {
    let name: String
    let kind: Kind
    let isRequired: Bool
  }

  private let members: [Member]

  init(_ members: [Member] = []) { self.members = members }

  /// - Parameter path: of `object`, for errors.
  /// - Throws: the first member that is missing or wrong, by its path (`data.customizations.servings`).
  func check(_ object: JSONObject, path: String = "data") throws(ModelError) {
    for member in members {
      let path = "\(path).\(member.name)"
      if object.contains(member.name) {
        try Self.check(member, in: object, path: path)
      } else if member.isRequired {
        throw .missing(path)
      }
    }
  }

  private static func check(_ member: Member, in object: JSONObject, path: String) throws(ModelError) {
    switch member.kind {
    case .text(let bytesMax):
      guard let text = object.string(member.name), (1...bytesMax).contains(text.utf8.count) else {
        throw .wrongType(path: path, wanted: "a string of 1 to \(bytesMax) bytes")
      }
    case .number:
      guard object.number(member.name) != nil else { throw .wrongType(path: path, wanted: "a number") }
    case .object(let shape):
      guard object.raw(member.name)?.first == UInt8(ascii: "{") else { throw .wrongType(path: path, wanted: "an object") }
      // Only an object with a member that stands twice is none after all.
      guard let inner = object.object(member.name) else { throw .wrongType(path: path, wanted: "an object whose members stand once") }
      try shape.check(inner, path: path)
    }
  }
}

extension DataShape.Member {
  static func required(_ name: String, _ kind: DataShape.Kind) -> Self { Self(name: name, kind: kind, isRequired: true) }
  static func optional(_ name: String, _ kind: DataShape.Kind) -> Self { Self(name: name, kind: kind, isRequired: false) }
}
