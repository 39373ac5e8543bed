internal import Models

extension JSONObject {
  /// A number without a fraction, or nil if it is missing or something else.
  func integer(_ name: String) -> Int? { number(name).flatMap(Int.init(exactly:)) }

  /// The objects of an array; none if it is missing or something else.
  func objects(_ name: String) -> [JSONObject] { (elements(name) ?? []).compactMap { try? JSONObject(parsing: Array($0)) } }

  /// Its members that are numbers.
  var numbers: [String: Double] {
    Dictionary(members.compactMap { member in number(member.name).map { (member.name, $0) } }) { first, _ in first }
  }
}
