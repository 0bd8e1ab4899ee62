"""What SQL may consist of: each kind of node that is let through, with its arguments.

Whatever is not written here is refused: a kind of node that sqlglot learns one day, too.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp
from sqlglot.expressions import DType

# A kind of node, then those of its arguments that may be there.
_NODES = """
Select      expressions distinct from_ joins where group having order limit offset with_
Insert      this expression
Update      this expressions where
Delete      this where
Schema      this expressions
Values      expressions
Tuple       expressions
With        expressions
CTE         this alias
From        this
Join        this on using side kind
Table       this alias db
TableAlias  this columns
Subquery    this alias
Where       this
Group       expressions rollup
Rollup
Having      this
Order       this expressions
Ordered     this desc nulls_first
Limit       expression
Offset      expression
Distinct    expressions
Alias       this alias
Column      this table
Identifier  this quoted
Star
Literal     this is_string
Boolean     this
Null
Var         this
Paren       this
And         this expression
Or          this expression
Xor         this expression
Not         this
EQ          this expression
NEQ         this expression
NullSafeEQ  this expression
GT          this expression
GTE         this expression
LT          this expression
LTE         this expression
Is          this expression
In          this expressions query
Between     this low high
Like        this expression negate
Escape      this expression
Exists      this
All         this
Any         this
Add         this expression
Sub         this expression
Mul         this expression
Div         this expression safe typed
IntDiv      this expression
Mod         this expression
Neg         this
Interval    this unit
Case        this ifs default
If          this true false
Cast        this to
DataType    this expressions nested
DataTypeParam  this
Window      this partition_by order spec over
WindowSpec  kind start start_side end end_side
Anonymous   this expressions

Count       this big_int
Sum         this
Avg         this
Min         this
Max         this
StddevPop   this
StddevSamp  this
VariancePop this
Variance    this
GroupConcat this separator
RowNumber
Rank
DenseRank
Ntile       this
Lag         this offset default
Lead        this offset default
FirstValue  this
LastValue   this

Abs         this
Ceil        this
Floor       this
Round       this decimals
Trunc       this decimals
Sign        this
Sqrt        this
Pow         this expression
Exp         this
Ln          this
Pi
Greatest    this expressions
Least       this expressions

Concat      expressions safe coalesce
ConcatWs    expressions safe coalesce
Upper       this
Lower       this
Trim        this expression position
Length      this binary
Substring   this start length
Left        this expression
Right       this expression
Replace     this expression replacement
StrPosition this substr position
Reverse     this
Ascii       this

Coalesce    this expressions
Nullif      this expression

CurrentTimestamp
CurrentDate
CurrentTime
TsOrDsToDate      this
TsOrDsToTimestamp this
Year        this
Quarter     this
Month       this
Week        this
Day         this
DayOfWeek   this
DayOfMonth  this
DayOfYear   this
Hour        this
Minute      this
Second      this
Dayname     this
LastDay     this
Extract     this expression
DateAdd     this expression unit
DateSub     this expression unit
DateDiff    this expression unit date_part_boundary
TimestampDiff  this expression unit
TimeToStr   this format
StrToDate   this format
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _read(table: str) -> dict[type[exp.Expr], frozenset[str]]:
    lines = (line.split() for line in table.splitlines() if line.strip())
    return {getattr(exp, name): frozenset(arguments) for name, *arguments in lines}


ARGUMENTS: Mapping[type[exp.Expr], frozenset[str]] = _read(_NODES)

# Arguments that are bare text, with the texts that they may be. Names and values apart.
TEXTS: Mapping[tuple[type[exp.Expr], str], frozenset[str]] = {
    (exp.Join, "kind"): frozenset({"INNER", "OUTER"}),
    (exp.Join, "side"): frozenset({"LEFT", "RIGHT"}),
    (exp.Trim, "position"): frozenset({"LEADING", "TRAILING", "BOTH"}),
    (exp.Window, "over"): frozenset({"OVER"}),
    (exp.WindowSpec, "kind"): frozenset({"ROWS", "RANGE"}),
    (exp.WindowSpec, "start"): frozenset({"CURRENT ROW", "UNBOUNDED"}),
    (exp.WindowSpec, "start_side"): frozenset({"PRECEDING", "FOLLOWING"}),
    (exp.WindowSpec, "end"): frozenset({"CURRENT ROW", "UNBOUNDED"}),
    (exp.WindowSpec, "end_side"): frozenset({"PRECEDING", "FOLLOWING"}),
    # Units of time, and the DEFAULT of a column.
    (exp.Var, "this"): _words("SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR DEFAULT"),
    # Functions for which sqlglot has no kind of their own; it keeps how they were written.
    (exp.Anonymous, "this"): _words(
        "NOW FIELD STRCMP FIND_IN_SET MID TIMEDIFF WEEKDAY ADDDATE SUBDATE"
    ),
}

TYPES = frozenset(
    {
        DType.BIGINT,  # SIGNED
        DType.UBIGINT,  # UNSIGNED
        DType.CHAR,
        DType.DATE,
        DType.DATETIME,
        DType.DECIMAL,
        DType.DOUBLE,
        DType.TIME,
    }
)

# What may stand before a bracket in SQL that was rendered: functions, and words of the language.
CALLS = _words(
    """
    COUNT SUM AVG MIN MAX GROUP_CONCAT STDDEV_POP STDDEV_SAMP VAR_POP VAR_SAMP VARIANCE
    ROW_NUMBER RANK DENSE_RANK NTILE LAG LEAD FIRST_VALUE LAST_VALUE
    ABS CEIL FLOOR ROUND TRUNCATE SIGN SQRT POWER EXP LN PI GREATEST LEAST
    CONCAT CONCAT_WS UPPER LOWER TRIM LTRIM RTRIM LENGTH CHAR_LENGTH SUBSTRING LEFT RIGHT REPLACE
    LOCATE REVERSE ASCII FIELD STRCMP FIND_IN_SET MID COALESCE NULLIF IF CAST
    NOW CURRENT_TIMESTAMP CURRENT_DATE CURRENT_TIME TIMEDIFF WEEKDAY ADDDATE SUBDATE
    DATE YEAR QUARTER MONTH WEEK DAY DAYOFWEEK DAYOFMONTH DAYOFYEAR HOUR MINUTE SECOND
    DAYNAME LAST_DAY EXTRACT DATE_ADD DATE_SUB DATEDIFF TIMESTAMPDIFF DATE_FORMAT STR_TO_DATE

    ALL AND ANY AS BETWEEN BY CHAR DECIMAL DISTINCT ELSE EXISTS FROM HAVING IN INTERVAL IS JOIN
    LIKE NOT ON OR OVER SELECT SET THEN USING VALUES WHEN WHERE XOR DIV CASE
    """
)

# Why the usual ways into trouble are refused, in words; any other node is named.
REASONS: Mapping[type[exp.Expr], str] = {
    exp.Union: "UNION is not allowed: write one SELECT",
    exp.Except: "EXCEPT is not allowed: write one SELECT",
    exp.Intersect: "INTERSECT is not allowed: write one SELECT",
    exp.Parameter: "variables are not allowed",
    exp.SessionParameter: "variables are not allowed",
    exp.Placeholder: "placeholders are not allowed: write the value",
    exp.RegexpLike: "REGEXP is not allowed: use LIKE",
    exp.Command: "this statement is not allowed",
    exp.Dot: "names of this form are not allowed",
    exp.HexString: "numbers are written in digits, text in quotes",
    exp.BitString: "numbers are written in digits, text in quotes",
    exp.National: "text is written in plain quotes",
    exp.Introducer: "text is written in plain quotes",
}
ARGUMENT_REASONS: Mapping[str, str] = {
    "into": "INTO is not allowed",
    "locks": "locking reads (FOR UPDATE, LOCK IN SHARE MODE) are not allowed",
    "hint": "hints are not allowed",
    "hints": "index hints are not allowed",
    "recursive": "recursive WITH is not allowed",
    "operation_modifiers": "modifiers of SELECT are not allowed",
    "conflict": "ON DUPLICATE KEY UPDATE is not allowed",
    "returning": "RETURNING is not allowed",
    "ignore": "IGNORE is not allowed",
    "tables": "one table at a time can be changed",
    "using": "one table at a time can be changed",
    "method": "NATURAL JOIN is not allowed: say what is joined ON",
}
