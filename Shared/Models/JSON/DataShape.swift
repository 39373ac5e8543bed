/// What a JSON object must hold. Members that it does not name pass: a newer app or device may know more.
package struct DataShape: Sendable {
  package enum Kind: Sendable {
    /// Not empty, and of at most so many bytes of UTF-8.
    case text(bytesMax: Int)
    /// Any string, the empty one too.
    case string
    case number
    case boolean
    case object(DataShape)
    case strings
    /// An array of such objects.
    case objects(DataShape)
  }

  package struct Member: Sendable {
    let name: String
    let kind: Kind
    let isRequired: Bool
  }

  private let members: [Member]

  package init(_ members: [Member] = []) { self.members = members }

  /// - Parameter path: of `object`, for errors; empty for a whole message.
  /// - Throws: the first member that is missing or wrong, by its path (`data.customizations.servings`, `payload.subsystems.0.key`).
  package func check(_ object: JSONObject, path: String = "data") throws(ModelError) {
    for member in members {
      let path = path.isEmpty ? member.name : "\(path).\(member.name)"
      guard let value = object.raw(member.name) else {
        if member.isRequired { throw .missing(path) }
        continue
      }
      // A value that is not known is null on many devices: an optional member may be.
      if member.isRequired || !value.elementsEqual("null".utf8) { try Self.check(member, value, in: object, path: path) }
    }
  }

  private static func check(_ member: Member, _ value: ArraySlice<UInt8>, in object: JSONObject, path: String) throws(ModelError) {
    switch member.kind {
    case .text(let bytesMax):
      guard let text = object.string(member.name), (1...bytesMax).contains(text.utf8.count) else {
        throw .wrongType(path: path, wanted: "a string of 1 to \(bytesMax) bytes")
      }
    case .string:
      guard isString(value) else { throw .wrongType(path: path, wanted: "a string") }
    case .number:
      guard object.number(member.name) != nil else { throw .wrongType(path: path, wanted: "a number") }
    case .boolean:
      guard object.boolean(member.name) != nil else { throw .wrongType(path: path, wanted: "true or false") }
    case .object(let shape): try check(shape, value, path: path)
    case .strings:
      guard let elements = object.elements(member.name), elements.allSatisfy(isString) else {
        throw .wrongType(path: path, wanted: "an array of strings")
      }
    case .objects(let shape):
      guard let elements = object.elements(member.name) else { throw .wrongType(path: path, wanted: "an array") }
      for (index, element) in elements.enumerated() { try check(shape, element, path: "\(path).\(index)") }
    }
  }

  private static func check(_ shape: DataShape, _ value: ArraySlice<UInt8>, path: String) throws(ModelError) {
    guard value.first == UInt8(ascii: "{") else { throw .wrongType(path: path, wanted: "an object") }
    // Only an object with a member that stands twice is none after all.
    guard let inner = try? JSONObject(parsing: Array(value)) else {
      throw .wrongType(path: path, wanted: "an object whose members stand once")
    }
    try shape.check(inner, path: path)
  }

  private static func isString(_ value: ArraySlice<UInt8>) -> Bool { value.first == UInt8(ascii: "\"") }
}

extension DataShape.Member {
  package static func required(_ name: String, _ kind: DataShape.Kind) -> Self { Self(name: name, kind: kind, isRequired: true) }
  /// May be missing, and may be null.
  package static func optional(_ name: String, _ kind: DataShape.Kind) -> Self { Self(name: name, kind: kind, isRequired: false) }
}
