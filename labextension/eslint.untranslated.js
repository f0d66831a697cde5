/** The texts that would be shown as they are written, in English to everybody, for ESLint's no-restricted-syntax. */
const LETTERS = '/[A-Za-z]/';
const WRITTEN = `:matches(Literal[value=${LETTERS}], TemplateLiteral:has(> TemplateElement[value.raw=${LETTERS}]))`;
const EITHER = ':matches(ConditionalExpression, LogicalExpression)';

const ATTRIBUTE =
  'JSXAttribute[name.name=/^(title|label|caption|alt|placeholder|aria-(label|description|roledescription|valuetext))$/]';
const CHILD = ':matches(JSXElement, JSXFragment) > JSXExpressionContainer';
const PLACES = [
  ATTRIBUTE,
  `${ATTRIBUTE} > JSXExpressionContainer`,
  CHILD,
  'Property[key.name=/^(label|caption)$/]'
];
const MESSAGES =
  'CallExpression:matches([callee.property.name=/^(notify|confirm)$/], [callee.object.name="Notification"])';

const selectors = [
  `JSXText[value=${LETTERS}]`,
  `${MESSAGES} > ${WRITTEN}:first-child`,
  ...PLACES.flatMap(place => [
    `${place} > ${WRITTEN}`,
    `${place} > ${EITHER} > ${WRITTEN}`,
    `${place} > ${EITHER} > ${EITHER} > ${WRITTEN}`
  ])
];

module.exports = selectors.map(selector => ({
  selector,
  message: 'Translate it: trans.__(text).'
}));
