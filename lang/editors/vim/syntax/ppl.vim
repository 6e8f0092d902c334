" Colours of ppl programs.
if exists("b:current_syntax")
  finish
endif

syntax keyword pplStatement if else for while in return
syntax keyword pplOperator and or not
syntax keyword pplConstant true false missing inf nan
" Keywords only in their forms; names elsewhere.
syntax match pplDeclaration /\v<(data|fn|net|model|guide|dist|param|plate)>\ze\s+\k/
syntax match pplDeclaration /\v<import>\ze\s*"/
syntax match pplDeclaration /\v<(on|with)>\ze\s+\k/
syntax match pplEffect /\v(^|[;{])\s*\zs<(observe|factor|refine)>\ze\s+\S/
syntax match pplType /\v:\s*\zs<(real|int|bool|positive|unit|simplex|ordered|cov|corr_cholesky)>/
syntax match pplDistribution /\v<\u\k*>\ze\s*[(\[]/
syntax match pplFunction /\v<\k+>\ze\(/
syntax match pplNumber /\v<\d[0-9_]*(\.\d[0-9_]*)?([eE][+-]?\d+)?>/
syntax match pplNumber /\v\.@<!\.\d[0-9_]*([eE][+-]?\d+)?>/
syntax match pplDraw /\v\~|:\=/
syntax match pplEscape /\v\\[ntr"\\]/ contained
syntax region pplString start=/"/ skip=/\\./ end=/"/ oneline contains=pplEscape
syntax keyword pplTodo TODO FIXME contained
syntax match pplComment /#.*/ contains=pplTodo,@Spell

highlight default link pplStatement Statement
highlight default link pplOperator Operator
highlight default link pplConstant Constant
highlight default link pplDeclaration Keyword
highlight default link pplEffect Statement
highlight default link pplType Type
highlight default link pplDistribution Type
highlight default link pplFunction Function
highlight default link pplNumber Number
highlight default link pplDraw Special
highlight default link pplEscape SpecialChar
highlight default link pplString String
highlight default link pplTodo Todo
highlight default link pplComment Comment

let b:current_syntax = "ppl"
